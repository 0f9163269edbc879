"""
A piece picker of your own: the ends of the content first, where players look for an index; then in order.
"""

from bitarray import bitarray
from zope.interface import implementer

from twisted_bt import Plugins
from twisted_bt.interfaces import IAvailability, IPiecePicker, Random


@implementer(IPiecePicker)
class EndsFirst:
    """The last piece, then the first that is not begun."""

    inOrder = True  # do not follow what peers suggest (BEP 6)

    def pick(self, candidates: bitarray, availability: IAvailability) -> int | None:
        """See L{IPiecePicker}."""
        last = len(candidates) - 1
        if candidates[last]:
            return last
        first = candidates.find(1)
        return first if first >= 0 else None


def endsFirst(random: Random) -> IPiecePicker:
    """One for each swarm; this one leaves nothing to chance."""
    return EndsFirst()


plugins = Plugins(picker=endsFirst)
# client = ClientSession(reactor, settings, plugins)
