"""Which steps are looked at closely, at what price, and what may be tried at them."""
