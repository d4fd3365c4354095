"""How strongly a loss bends in a norm: the sharpness of a Hessian, and the constants that a path of points shows."""
