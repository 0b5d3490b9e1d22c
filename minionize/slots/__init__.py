"""The children of a minion.

``pool``    starts, times, stops and reaps them
``output``  takes what they write
``warden``  outlives the minion, and ends what it left behind
"""
