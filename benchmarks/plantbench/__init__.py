"""A labelled benchmark of IT and OT alerts that is generated: any size, any number of networks, each from a seed alone.

site        one network: hosts by Purdue level, addresses that change hands, sensors and their blind spots
catalogue   the alert types of eight products, and which acts set each of them off
acts        what somebody does on the network -> the alerts that this site's sensors make of it
stories     the grammar of everything that unfolds in steps: intrusions and benign routines alike
intrusions  the intrusions, after public reports
routines    scans, patch nights, maintenance, roll-outs: benign chains in the same grammar
unfold      a story played on one site: cast, times, acts
levels      calm, usual, hard, sparse: how much a network hides its intrusions
noise       chatty rules with their rhythm, and everything that goes off now and then
render      how each product writes an alert down
export      the export folders, the truth, the campaigns, the asset list, the run's configuration
shape       the figures by which a generated set is held against real ones
"""

VERSION = 3  # raised whenever the same seed would give other bytes; README has the history
DRAWS = 1  # part of every seed: raised only where the networks themselves shall be others
