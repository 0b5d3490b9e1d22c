"""Params: where they come from, what they are called, and how they become command lines.

A param is carried as its JSON text (:mod:`~minionize.params.jsontext`): one line, no blanks outside strings, every
number with the digits that its user typed. :mod:`~minionize.params.words` and :mod:`~minionize.params.files` read
params, :mod:`~minionize.params.ids` names them, :mod:`~minionize.params.template` makes command lines of them.
"""
