"""How the tables of a study are written: headings, formats, titles and notes."""

from __future__ import annotations

from srbench_ext.report.markup import Columns

__all__ = ["COLUMNS", "NOTES", "TITLES"]

_CLASSIFICATION: Columns = {
    "method": ("space", "s"),
    "kind": ("", "s"),
    "target": ("told apart", "s"),
    "classifier": ("classifier", "s"),
    "accuracy": ("accuracy", ".3f"),
    "accuracy_deviation": ("± folds", ".3f"),
    "macro_f1": ("macro F1", ".3f"),
    "silhouette_class": ("silhouette", ".3f"),
    "silhouette_family": ("of families", ".3f"),
}
_PATHS: Columns = {
    "method": ("space", "s"),
    "path": ("path", "s"),
    "pairs_of": ("pairs of", "s"),
    "pairs": ("pairs", "d"),
    "valid": ("valid", ".3f"),
    "parses": ("valid tokens, no grammar", ".3f"),
    "fitted": ("finite when fitted", ".3f"),
    "mean_r2": ("R² fitted", ".3f"),
    "ends_same_law": ("ends: law", ".3f"),
    "ends_r2": ("ends: R²>0.99", ".3f"),
    "distinct": ("formulas", ".1f"),
    "step_edit": ("edit a step", ".3f"),
    "step_unlike": ("1−r² a step", ".3f"),
    "monotonicity": ("monotonicity", ".3f"),
    "changing": ("of paths", "d"),
}
_RADII: Columns = {
    "method": ("space", "s"),
    "unit": ("unit", "s"),
    "radius": ("radius", ".2f"),
    "valid": ("valid", ".3f"),
    "changed": ("changed", ".3f"),
    "edit": ("edit", ".3f"),
    "unlike": ("1−r²", ".3f"),
    "unlike_median": ("median 1−r²", ".3f"),
}
_SMOOTHNESS: Columns = {
    "method": ("space", "s"),
    "spearman": ("ρ", ".3f"),
    "spearman_inside": ("ρ in a family", ".3f"),
    "spearman_across": ("ρ across", ".3f"),
    "trustworthiness": ("trustworthiness", ".3f"),
    "bases": ("bases", "d"),
    **{
        f"{unit}_{name}": (f"{heading}, {unit}", ".3f")
        for unit in ("distance", "deviation")
        for name, heading in (
            ("valid_area", "valid"),
            ("changed_area", "changed"),
            ("edit_area", "edit"),
            ("unlike_area", "1−r²"),
            ("length", "length"),
        )
    },
}
_LANDSCAPE: Columns = {
    "method": ("space", "s"),
    "tables": ("tables", "d"),
    "encoded": ("R² of the encoding", ".3f"),
    "encoded_error": ("±", ".3f"),
    "best": ("best in the ball", ".3f"),
    "best_error": ("±", ".3f"),
    "better": ("better", ".3f"),
    "better_error": ("±", ".3f"),
    "dead": ("dead", ".3f"),
    "distinct": ("distinct", ".3f"),
    "fitness_distance": ("fitness–distance", ".3f"),
    "fitness_distance_error": ("±", ".3f"),
    "fitness_distance_of": ("of tables", ".0f"),
    "autocorrelation": ("autocorrelation", ".3f"),
    "autocorrelation_error": ("±", ".3f"),
    "autocorrelation_of": ("of tables", ".0f"),
    "walk_length": ("walk length", ".1f"),
}
_CONTROL: Columns = {
    "family": ("family", "s"),
    "variables": ("variables", "d"),
    "tables": ("tables", "d"),
    "valid": ("valid", ".3f"),
    "fitted": ("finite when fitted", ".3f"),
    "law_r2": ("R²>0.99", ".3f"),
}
NOTES: dict[str, tuple[str, ...]] = {
    "classification": (
        "Our protocol; the papers released neither tables nor classifier: published figures stand apart.",
        "Five folds grouped by law: tables of one law, whatever its constants, are learnt from or judged, "
        "not both. class: family and number of variables.",
        "Every network is told the number of columns; y alone is what quantiles and moments of y give, table "
        "statistics the regressions in closed form that networks get beside the points.",
        "Laws are drawn with seeds of their own; short ones may have been met in training.",
    ),
    "control": (
        "What the measures below say of the tables' own laws, whose constants are fitted as everywhere: what "
        "a decoder that finds every law would get.",
    ),
    "paths": (
        "Between the ends, 9 points a path: valid is finite on 95% of the rows of both ends for some of 33 "
        "fixed constants; R² is with constants fitted to the nearer end. 1−r² compares neighbours that are "
        "fitted to the same end, up to scale and offset; it and the edits are 1 where one has no formula.",
        "monotonicity: rank correlation of the way gone with the tree distance from the first end, and of "
        "the way to go with that to the second, over the paths on which the formula changes; a path "
        "that changes once has about 0.8.",
    ),
    "radii": (
        "Radii are in median distances of two encodings (distance) or lengths of the deviation that the "
        "space gives for the table (deviation; variational spaces alone). Constants are fitted to the base.",
    ),
    "smoothness": (
        "ρ: rank correlation of the distance of two encodings and 1−r² of their laws. Areas are means over "
        "the logarithm of the radius; length is the radius at which the median 1−r² reaches one half.",
    ),
    "landscape": (
        "Fitness is R² with constants fitted. The ball is normal with the deviation of encodings of "
        "different tables; the walk has steps of a tenth of their median distance. dead: no finite formula. "
        "±: standard error over the tables. The two correlations are over the tables whose fitness varies; "
        "the best point and the encoding are not among the points of the first.",
    ),
}
"""What stands under each table."""

TITLES = {
    "classification": "Family of functions, told from the encoding",
    "control": "The laws themselves",
    "paths": "Interpolation",
    "radii": "Neighbourhood by radius",
    "smoothness": "Smoothness",
    "landscape": "Landscape of the search",
    "health": "Variational spaces",
}
"""Headings of the tables; their order in the document."""

COLUMNS: dict[str, Columns] = {
    "classification": _CLASSIFICATION,
    "control": _CONTROL,
    "paths": _PATHS,
    "radii": _RADII,
    "smoothness": _SMOOTHNESS,
    "landscape": _LANDSCAPE,
}
"""Columns of each table: name, heading and format; that of the health has its own."""
