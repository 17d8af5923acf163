"""Charts as inline SVG, made on the server: pure functions of values, for the report and the console.

No script, no inline style: colours come by classes from `charts.css` (`look.stylesheet()`), so that a page whose
Content-Security-Policy is `style-src 'self'` shows them. Each has a title, a description and its numbers as a table.
What is drawn keeps its size in pixels on any width of page, since places are given in per cent.

| module | draws |
| --- | --- |
| `timeline` | counts over time, stacked by class |
| `bars` | a top list: a table whose rows carry bars |
| `lanes` | intervals: states of orders, of the log, of a verdict; over traffic where that is given |
| `multiples` | the same small chart for several things |
"""
