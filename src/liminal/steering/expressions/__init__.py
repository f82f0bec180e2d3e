"""The expression language of policies: small, typed, total.

``parse`` makes a tree or says at which line and column it could not, ``check`` gives the tree's type or says
what was expected where, ``evaluate`` gives a value and never fails for a checked tree, ``unparse`` writes the
tree back. There are no loops, no definitions and no effects, and a text has at most ``MAX_NODES`` nodes.
"""

from liminal.steering.expressions.check import check as check
from liminal.steering.expressions.evaluate import evaluate as evaluate
from liminal.steering.expressions.parse import MAX_CHARACTERS as MAX_CHARACTERS
from liminal.steering.expressions.parse import MAX_DEPTH as MAX_DEPTH
from liminal.steering.expressions.parse import MAX_NODES as MAX_NODES
from liminal.steering.expressions.parse import parse as parse
from liminal.steering.expressions.syntax import Expression as Expression
from liminal.steering.expressions.syntax import ExpressionError as ExpressionError
from liminal.steering.expressions.syntax import unparse as unparse
from liminal.steering.expressions.types import Type as Type
from liminal.steering.expressions.types import Value as Value
from liminal.steering.expressions.vocabulary import Function as Function
from liminal.steering.expressions.vocabulary import Vocabulary as Vocabulary
