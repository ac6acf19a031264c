"""Facts about Windows where the Linux kernel decides otherwise, and so a recording from Wine shows Linux.

Each fact states a call, a situation, the result of Windows, where that result is stated, and how certain it is. The
facts are our own summaries of public test suites, documentation and reports; the programs that check them are ours too.
The folder topics has one module of facts for each kind of behaviour. `facts` explains their form.
"""
