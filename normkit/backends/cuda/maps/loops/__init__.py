"""Templates of kernels; `normkit.backends.cuda.maps.generated` puts the scalars of a plan into them."""
