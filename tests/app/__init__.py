def show_toolbar(request: object) -> bool:
    return True
