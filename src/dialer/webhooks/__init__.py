"""Events sent to the receivers that an account names: signed, in order, until they are taken."""
