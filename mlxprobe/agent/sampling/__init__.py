"""Which steps are looked at closely, at what price, and who is told of them."""
