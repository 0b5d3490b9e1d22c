"""The children of a minion.

``base``        what the loop asks of its slots
``ended``       what they hand back
``make``        makes those that a callback asks for
``pool``        slots in which programs run: starts, times, stops and reaps them
``calls``       slots in which a function is called
``containers``  what the runtime has to be told besides
``output``      takes what tasks write
``scratch``     their params and results, as files
``warden``      outlives the minion, and ends what it left behind
"""
