"""Results -> a page to look at: pictures, tables, one ``index.html``.

What comes in are finished studies, an analysed campaign or a scored comparison; what goes out is a folder with a page.
Start with `write` for the main job, `campaign_page` and `validation_page` for the other two.
"""

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
