"""Ship the top-level methods/, datasets/ and results/published/ folders inside the srbench_ext package."""

from setuptools import find_namespace_packages, find_packages, setup


def under(parent, folder, find):
    return [parent, *(f"{parent}.{name}" for name in find(folder))]


setup(
    packages=[
        *find_packages(include=["srbench_ext", "srbench_ext.*"]),
        *under("srbench_ext.methods", "methods", find_packages),
        *under("srbench_ext.datasets", "datasets", find_namespace_packages),
        "srbench_ext.published",
    ]
)
