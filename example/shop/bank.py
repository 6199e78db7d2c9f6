"""A bank, played by the shop itself so that the example needs no network; a real one would be elsewhere."""

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from security.decorators import log_exempt, throttling_exempt


@log_exempt
@throttling_exempt
def rates(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"CZK": 25, "USD": 1.25})


@csrf_exempt
@log_exempt
@throttling_exempt
def payments(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"detail": "No payments today."}, status=503)


urlpatterns = [path("rates/", rates), path("payments/", payments)]
