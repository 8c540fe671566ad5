"""What searches share: the archive of what was evaluated, edits, the Pareto front. No torch here."""

from srbench_ext.search.archive import EXACT, Archive, Entry, Member
from srbench_ext.search.breeding import Breeder
from srbench_ext.search.crossing import cross_validated
from srbench_ext.search.edits import random_edit, shortening_edit
from srbench_ext.search.fallbacks import linear_fallbacks
from srbench_ext.search.form import Tokens, expression_of, normal_form, tokens_of
from srbench_ext.search.front import ParetoFront
from srbench_ext.search.island import Island, closed_forms, related
from srbench_ext.search.judging import TOKEN_WEIGHT, Judge, Rank, token_weight
from srbench_ext.search.library import Library, library_of
from srbench_ext.search.linear import linear_formula, weighted_sum
from srbench_ext.search.reduction import Reduction, reduce_table
from srbench_ext.search.refinement import refined_front
from srbench_ext.search.relations import Relation, loosened, sparse_relations
from srbench_ext.search.rows import RowSets, split_for_search
from srbench_ext.search.stepwise import stepwise_sums, sums_of
from srbench_ext.search.subtrees import SubtreeSource
from srbench_ext.search.sums import Sums

__all__ = [
    "EXACT",
    "TOKEN_WEIGHT",
    "Archive",
    "Breeder",
    "Entry",
    "Island",
    "Judge",
    "Library",
    "Member",
    "ParetoFront",
    "Rank",
    "Reduction",
    "Relation",
    "RowSets",
    "SubtreeSource",
    "Sums",
    "Tokens",
    "closed_forms",
    "cross_validated",
    "expression_of",
    "library_of",
    "linear_fallbacks",
    "linear_formula",
    "loosened",
    "normal_form",
    "random_edit",
    "reduce_table",
    "refined_front",
    "related",
    "shortening_edit",
    "sparse_relations",
    "split_for_search",
    "stepwise_sums",
    "sums_of",
    "token_weight",
    "tokens_of",
    "weighted_sum",
]
