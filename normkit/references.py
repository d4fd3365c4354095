"""Where theorems are proved: keys of `Theorem.source` and what they stand for."""

from __future__ import annotations

REFERENCES = {
    "argyriou2012sparse": (
        "A. Argyriou, R. Foygel, N. Srebro. Sparse prediction with the k-support norm. Advances in Neural "
        "Information Processing Systems 25, 2012. arXiv:1204.5043."
    ),
    "bach2013learning": (
        "F. Bach. Learning with submodular functions: a convex optimization perspective. Foundations and "
        "Trends in Machine Learning 6(2-3), 2013. arXiv:1111.6453."
    ),
    "bernstein2024old": ("J. Bernstein, L. Newhouse. Old optimizer, new norm: an anthology. 2024. arXiv:2409.20325."),
    "boyd2004convex": "S. Boyd, L. Vandenberghe. Convex Optimization. Cambridge University Press, 2004.",
    "chandrasekaran2012convex": (
        "V. Chandrasekaran, B. Recht, P. A. Parrilo, A. S. Willsky. The convex geometry of linear inverse "
        "problems. Foundations of Computational Mathematics 12, 2012. arXiv:1012.0621."
    ),
    "combettes2018learning": (
        "P. L. Combettes, A. M. McDonald, C. A. Micchelli, M. Pontil. Learning with optimal interpolation "
        "norms. Numerical Algorithms, 2018. arXiv:1603.09273."
    ),
    "hardy1934inequalities": (
        "G. H. Hardy, J. E. Littlewood, G. Pólya. Inequalities. Cambridge University Press, 1934."
    ),
    "hendrickx2010matrix": (
        "J. M. Hendrickx, A. Olshevsky. Matrix p-norms are NP-hard to approximate if p ≠ 1, 2, ∞. SIAM "
        "Journal on Matrix Analysis and Applications 31(5), 2010. arXiv:0908.1397."
    ),
    "large2024scalable": (
        "T. Large, Y. Liu, M. Huh, H. Bahng, P. Isola, J. Bernstein. Scalable optimization in the modular "
        "norm. Advances in Neural Information Processing Systems 37, 2024. arXiv:2405.14813."
    ),
    "lewis1995convex": (
        "A. S. Lewis. The convex analysis of unitarily invariant matrix functions. Journal of Convex Analysis 2, 1995."
    ),
    "mcdonald2016new": (
        "A. M. McDonald, M. Pontil, D. Stamos. New perspectives on k-support and cluster norms. Journal of "
        "Machine Learning Research 17(155), 2016. arXiv:1512.08204."
    ),
    "ndiaye2016gap": (
        "E. Ndiaye, O. Fercoq, A. Gramfort, J. Salmon. GAP safe screening rules for sparse-group lasso. "
        "Advances in Neural Information Processing Systems 29, 2016. arXiv:1602.06225."
    ),
    "obozinski2011group": (
        "G. Obozinski, L. Jacob, J.-P. Vert. Group lasso with overlaps: the latent group lasso approach. "
        "2011. arXiv:1110.0413."
    ),
    "rao1991theory": "M. M. Rao, Z. D. Ren. Theory of Orlicz Spaces. Marcel Dekker, 1991.",
    "rockafellar1970convex": "R. T. Rockafellar. Convex Analysis. Princeton University Press, 1970.",
    "watson1992linear": (
        "G. A. Watson. Linear best approximation using a class of polyhedral norms. Numerical Algorithms 2, 1992."
    ),
    "zeng2014ordered": (
        "X. Zeng, M. A. T. Figueiredo. The ordered weighted l1 norm: atomic formulation, projections, and "
        "algorithms. 2014. arXiv:1409.4271."
    ),
}
"""Key -> citation; every source of a registered norm's theorem is here (a test sees to it)."""


def citation(key: str) -> str:
    """Return the citation of a key; the key itself, where a third party's norm names a source of its own."""
    return REFERENCES.get(key, key)
