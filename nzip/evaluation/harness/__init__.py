"""What every run needs: journal, jobs, statistics, tables, drawing, page."""
