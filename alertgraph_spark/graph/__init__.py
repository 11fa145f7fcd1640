"""The two questions that are asked of the alert graph, and the engines that answer them alike.

Vertices are episodes, edges are links. `find_components` says what hangs together, `find_matches` where a motif's pattern
and condition hold. `in_process` answers over Arrow tables in this process, `on_graphframes` by GraphFrames on Spark, for
graphs beyond one machine.
"""
