"""`tk.explore`: a budget in, a verified recipe out.

Which settings suit the target and the unit (`settings`), what each does to the answers when one weight alone takes
it (`measuring`), a mixed recipe by optimization with a bound (`choosing`), and then the recipe's package is written,
verified and measured (`searching`, `exploring`). Every measurement is kept (`store`). The parts are those of the
other rooms: the ledger's bytes, the interpreter's answers, the writer of packages, `tk.verify`.
"""
