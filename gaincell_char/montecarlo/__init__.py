"""Bench and variation -> samples in a folder -> statistics and random models.

Input: a bench and the kind of variation.  Output: the folder of a campaign, its results, and a record with statistics.
Start with `campaign.plan_campaign` and `execute.run_campaign`.
"""
