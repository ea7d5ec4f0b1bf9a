"""Results of the main job -> a page to look at: pictures, tables, one ``index.html``."""

from .tables import headline, summary
from .write import write_report

__all__ = ["headline", "summary", "write_report"]
