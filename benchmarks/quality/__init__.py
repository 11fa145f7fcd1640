"""The ranking judged: the job as a user runs it, on labelled lakes, beside simple orders and two re-implemented peers.

lakes      which alerts: the real development sets where they lie beside the repository, and generated networks
runs       one run of the job on one lake; a finished one is taken again while nothing that decides it has changed
judge      the shared judge's figures for a results folder, and the rows that a bootstrap draws from
measures   what the judge does not print: episodes of the largest subgraph, hops kept, ranks of one true group
reading    what an analyst reads: attack among it, sizes, noise, campaigns kept apart, what the told probability is worth
generated  what only generated networks can be asked: whole chains by dwell, maintenance under every attack, hubs
hubs       chains through a compromised server that up to 100,000 addresses talk to
peers      RT-KCSM's joining and relevance, risk per entity and day, and the job's units in other orders
bootstrap  intervals over networks, never over alerts
table      rows of figures as text and as a page
choose     parameters chosen on all networks but one, and what they give on that one
"""
