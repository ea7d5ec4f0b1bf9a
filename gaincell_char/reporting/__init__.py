"""Results -> a report page: pictures, tables, one ``index.html``.

Input: finished studies, an analysed campaign, or the result of a validation.  Output: a folder with a page.  Start with
`write` for the main job, and with `campaign_page` and `validation_page` for the other two.
"""

from .campaign_page import tabulate_campaign, write_campaign
from .page_tables import tabulate_fits, tabulate_models
from .parts import Written
from .report_verb import report
from .technologies_page import tabulate_side_by_side, write_technologies
from .validation_page import tabulate_comparison, write_comparison
from .write import write_report

__all__ = [
    "Written",
    "report",
    "tabulate_campaign",
    "tabulate_comparison",
    "tabulate_fits",
    "tabulate_models",
    "tabulate_side_by_side",
    "write_campaign",
    "write_comparison",
    "write_report",
    "write_technologies",
]
