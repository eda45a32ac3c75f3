"""How unlike reality is a simulator? Its days against people's days: a classifier's AUC, marginals, published targets.

Classifier two-sample test (Lopez-Paz and Oquab 2017): a classifier is taught to tell simulated days from real ones and
asked about people it has never seen. An AUC of 0.5 means that it cannot; over 0.8 the simulator is a toy. The real
minutes are of three people, so their interval is wide and a low AUC proves little; a high one proves much.
"""
