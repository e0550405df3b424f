"""What commands share: the console, tables, curves, the optimum beside results, fonts."""
