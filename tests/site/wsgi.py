from django.core.wsgi import get_wsgi_application

from tests.site import statements

application = get_wsgi_application()

__all__ = ["application", "statements"]
