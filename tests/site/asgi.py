from django.core.asgi import get_asgi_application

from tests.site import statements

application = get_asgi_application()

__all__ = ["application", "statements"]
