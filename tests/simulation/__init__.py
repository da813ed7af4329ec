"""The protocol alone, run under every misfortune that seeded dice can think of.

No engine, no process, no clock: one lane of articles and everybody who works on it, as plain
Python in one thread. Each method of the engine is one script or one command, so it is atomic;
each actor is a generator that yields after every call, and between two yields of one actor
anything may happen to the others. So a schedule is a number, and the same number is the same
schedule on any machine.

Read it in this order:

    article.py      what is filed, when an act is legal, and what a fold makes of it
    keys.py         what the engine holds
    model.py        the engine: append, wake-ups, commit, each method one script or command
    holding.py      its part that holds events and releases them
    stream.py       its part that wakes renderers
    redacting.py    its part that masks texts, and who destroys what is left of them
    steps.py        what every actor is made of
    renderer.py     from the ledger to a commit, and what may come between
    actors.py       readers, the sweeper, who releases what is held, clients, the network
    following.py    deliver: the hub, channels, and pages that are open
    invariants.py   what must hold after every step, and what must hold in the end
    plans.py        what kinds of schedules there are, and what clients mean to file
    cast.py         who plays
    schedule.py     who is next, and what goes wrong
    running.py      many schedules, on all cores
    mutants.py      protocols with one bug each, which the simulator has to find

`python -m tests.simulation --schedules 100000 --seed 7` runs more than the test suite does;
`--only N` prints every step of schedule N, `--mutants` says how soon each bug is found.

Left out: the archive, quarantine and changes of the fold's revision, and the time that ingest gives
to an event that came without (no fingerprint has it, so no chain tells it apart).
"""
