"""The report on a period, and the one for counsel: values first, then tables (CSV), JSON, and a page (HTML)."""
