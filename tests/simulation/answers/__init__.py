"""The scenarios, the facts about Windows and random call programs on the simulation.

    python -m tests.simulation.answers                    run all scenarios and facts, and show the differences
    python -m tests.simulation.answers NAME …             run some, by their names, concerns or topics
    python -m tests.simulation.answers --notes            update the generated part of notes/differences.md
    python -m tests.simulation.answers --programs 0-99    compare the random programs of these batches with compat
    python -m tests.simulation.answers --record           record call_programs.jsonl again on compat

Each one runs as the only process of a network. world.py loads and runs them, machines.py makes the network, threads.py
has the threads of its process, outcomes.py compares what they observe with the answers of Windows, reasons.py says why
some differ, report.py writes the notes, and call_programs.py compares random programs with compat.
"""
