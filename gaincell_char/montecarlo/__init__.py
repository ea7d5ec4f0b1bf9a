"""Bench and variation -> samples in a folder -> statistics and random models.

What comes in is a bench and what is to vary; what goes out is a campaign's folder, its results and a record
with spread.  Start with `campaign.plan_campaign` and `execute.run_campaign`.
"""
