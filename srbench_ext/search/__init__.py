"""What searches share: the archive of what was evaluated, edits, the Pareto front. No torch here."""

from srbench_ext.search.archive import EXACT, Archive, Entry, Member
from srbench_ext.search.edits import random_edit, shortening_edit
from srbench_ext.search.form import Tokens, expression_of, normal_form, tokens_of
from srbench_ext.search.front import ParetoFront
from srbench_ext.search.subtrees import SubtreeSource

__all__ = [
    "EXACT",
    "Archive",
    "Entry",
    "Member",
    "ParetoFront",
    "SubtreeSource",
    "Tokens",
    "expression_of",
    "normal_form",
    "random_edit",
    "shortening_edit",
    "tokens_of",
]
