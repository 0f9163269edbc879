"""The drop-in that shows C{bittorrent} in C{twistd --help}; all logic is in L{twisted_bt.tap}."""

from twisted.application.service import ServiceMaker

bittorrent = ServiceMaker(
    "twisted_bt", "twisted_bt.tap", "A BitTorrent client: downloads and seeds.", "bittorrent"
)
