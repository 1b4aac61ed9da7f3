"""Which steps are sampled, at what cost, and which inspectors get them."""
