"""Results -> a page to look at: pictures, tables, one ``index.html``."""

from .campaign_page import campaign_headline, write_campaign
from .page_tables import headline, summary
from .parts import Written
from .validation_page import comparison_headline, write_comparison
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
