"""Tables: their columns and words, ATT&CK, times and rates, and the engines that hold them."""
