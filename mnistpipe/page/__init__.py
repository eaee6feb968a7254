"""The study as one page: report.html, which needs nothing but a browser."""
