"""The report as one HTML page: a file that holds everything it shows and loads nothing.

::

    report + records ──payload──> JSON ──gzip, base64──> page.html with page.css and the scripts of assets/

The page works from a file and without a network; its content security policy forbids any request.
"""

from srbench_ext.report.page.document import page_name, write_page

__all__ = ["page_name", "write_page"]
