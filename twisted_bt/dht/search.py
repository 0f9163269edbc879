"""
Runs a L{Lookup}: asks whom it names, tells it what came of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.dht.lookup import Candidate, Lookup
from twisted_bt.dht.messages import Ask, Response

if TYPE_CHECKING:
    from twisted_bt.dht.addressnode import AddressNode


class Search:
    """
    @param ask: what every node is asked.
    @ivar lookup: the search's state; offer it nodes to begin with.
    @ivar seen: called with each answer, and who gave it, as soon as it is there.
    """

    _log = Logger()

    def __init__(self, node: AddressNode, lookup: Lookup, ask: Ask) -> None:
        self.lookup = lookup
        self.seen: Callable[[Candidate, Response], object] = lambda candidate, response: None
        self._node = node
        self._ask = ask
        self._over = False
        self._stepping = False
        self._again = False
        self._done: Deferred[Lookup] = Deferred(self._cancelled)

    def start(self) -> Deferred[Lookup]:
        """Fires with L{lookup} when it is over; never fails; can be cancelled."""
        self._step()
        return self._done

    def _cancelled(self, _: Deferred[Lookup]) -> None:
        # Queries under way go on for the table's sake: what they bring is worth as much as before.
        self._over = True

    def _step(self) -> None:
        # A query may fail at once, inside this loop; then it goes round again instead of deeper.
        self._again = True
        if self._stepping or self._over:
            return
        self._stepping = True
        while self._again and not self._over:
            self._again = False
            for candidate in self.lookup.toAsk():
                self._query(candidate)
        self._stepping = False
        if not self._over and self.lookup.finished:
            self._over = True
            self._done.callback(self.lookup)

    def _query(self, candidate: Candidate) -> None:
        asked = self._node.ask(candidate.addr, self._ask, candidate.id, lambda: self._slow(candidate))
        asked.addCallbacks(self._answered, self._failed, callbackArgs=(candidate,), errbackArgs=(candidate,))

    def _slow(self, candidate: Candidate) -> bool:
        if self._over:
            return False
        near = self.lookup.isNear(candidate)
        self.lookup.slow(candidate)
        self._step()
        return near

    def _failed(self, reason: Failure, candidate: Candidate) -> None:
        self.lookup.failed(candidate)
        self._step()

    def _answered(self, response: Response, candidate: Candidate) -> None:
        if self._over:
            return
        try:
            self.seen(candidate, response)
        except Exception:  # of whoever wanted peers; the search is not to hang for that
            self._log.failure("whoever was told of an answer failed")
        nodes = self._node.named(response, candidate.addr)
        self.lookup.answered(candidate, response.sender, nodes, response.token())
        self._step()
