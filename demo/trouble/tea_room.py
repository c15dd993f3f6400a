class TeaRoom:
    """Sends what is about no row of any table."""
