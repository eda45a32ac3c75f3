"""How good is the judge? Ground truth against alerts: matching, figures with intervals, baselines, pages to look at."""
