"""Results -> a page to look at: pictures, tables, one ``index.html``."""

from .campaign import campaign_headline, write_campaign
from .compare import comparison_headline, write_comparison
from .parts import Written
from .tables import headline, summary
from .write import write_report

__all__ = [
    "Written",
    "campaign_headline",
    "comparison_headline",
    "headline",
    "summary",
    "write_campaign",
    "write_comparison",
    "write_report",
]
