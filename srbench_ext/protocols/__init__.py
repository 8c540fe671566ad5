"""The protocols, one TOML file each (see docs/protocols.md)."""
