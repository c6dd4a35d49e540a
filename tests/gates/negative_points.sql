SELECT id FROM customers WHERE points < 0
