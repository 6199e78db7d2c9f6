"""Views that are throttled: each in one of the ways that decorators know."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import aauthenticate, alogin, authenticate
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from security.decorators import (
    log_exempt,
    throttling,
    throttling_all,
    throttling_exempt,
    throttling_exempt_all,
)
from security.enums import InputRequestSlug
from security.exception import ThrottlingException
from security.throttling import (
    PerRequestCacheThrottlingValidator,
    PerRequestThrottlingValidator,
    ShadowValidator,
    UnsuccessfulLoginThrottlingValidator,
    UnSuccessfulTwoFactorCodeVerificationThrottlingValidator,
)

twice = PerRequestThrottlingValidator(60, 2, "Twice a minute.")


class Forbids:
    def validate(self, request: HttpRequest) -> None:
        if "forbidden" in request.GET:
            raise ThrottlingException("Your custom message")


class ForbidsAsync:
    async def validate(self, request: HttpRequest) -> None:
        Forbids().validate(request)


class ForbidsAndCounts(PerRequestThrottlingValidator):
    def validate(self, request: HttpRequest) -> None:
        super().validate(request)
        Forbids().validate(request)


class Wordless:
    def __str__(self) -> str:
        raise ValueError("no words")


class Breaks:
    def validate(self, request: HttpRequest) -> None:
        raise ValueError("broken")


class Answers(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok")

    def post(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok")


@throttling_all(twice)
class Limited(Answers):
    pass


class LimitedChild(Limited):
    pass


@throttling_exempt_all
class Exempt(Answers):
    pass


@throttling_all(keep_default=False)
class WithoutDefault(Answers):
    pass


class LimitedMethod(Answers):
    @method_decorator(csrf_exempt)
    def dispatch(self, request: HttpRequest) -> HttpResponse:  # type: ignore[override]
        return super().dispatch(request)  # type: ignore[return-value]

    @method_decorator(throttling(twice))
    def post(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok")


def ok(request: HttpRequest, number: int = 0) -> HttpResponse:
    return HttpResponse("ok")


async def ok_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def raises(request: HttpRequest) -> HttpResponse:
    raise ThrottlingException("Not now.")


async def raises_async(request: HttpRequest) -> HttpResponse:
    raise ThrottlingException("Not now.")


@csrf_exempt
def logs_in_and_fails(request: HttpRequest) -> HttpResponse:
    """Roll back whatever happens, as Django REST framework does where authentication fails."""
    with transaction.atomic():
        authenticate(request, username=request.POST["username"], password=request.POST["password"])
        transaction.set_rollback(True)
    return HttpResponse(status=401)


@csrf_exempt
def gives_token(request: HttpRequest) -> HttpResponse:
    """Look at a password without logging in, as views of tokens do."""
    given = request.POST
    user = authenticate(request, username=given["username"], password=given["password"])
    return HttpResponse(status=401 if user is None else 200)


@csrf_exempt
def tries_many(request: HttpRequest) -> HttpResponse:
    """Look at many passwords at once, as an interface that takes several queries in one request does."""
    with transaction.atomic():
        for number in range(int(request.POST["password"])):
            authenticate(request, username=request.POST["username"], password=f"wrong{number}")
    return HttpResponse(status=401)


@csrf_exempt
async def gives_token_async(request: HttpRequest) -> HttpResponse:
    given = request.POST
    user = await aauthenticate(request, username=given["username"], password=given["password"])
    return HttpResponse(status=401 if user is None else 200)


@csrf_exempt
def gives_token_without_request(request: HttpRequest) -> HttpResponse:
    user = authenticate(username=request.POST["username"], password=request.POST["password"])
    return HttpResponse(status=401 if user is None else 200)


@csrf_exempt
async def gives_token_without_request_async(request: HttpRequest) -> HttpResponse:
    user = await aauthenticate(username=request.POST["username"], password=request.POST["password"])
    return HttpResponse(status=401 if user is None else 200)


@csrf_exempt
def gives_token_whatever_fails(request: HttpRequest) -> HttpResponse:
    try:
        return gives_token(request)
    except Exception:
        return HttpResponse(status=401)


@csrf_exempt
async def logs_in_async(request: HttpRequest) -> HttpResponse:
    user = await aauthenticate(request, username=request.POST["username"], password=request.POST["password"])
    if user is None:
        return HttpResponse("again")
    await alogin(request, user)
    return HttpResponseRedirect("/")


@csrf_exempt
@throttling(UnSuccessfulTwoFactorCodeVerificationThrottlingValidator(60, 2), keep_default=False)
def verifies_code(request: HttpRequest) -> HttpResponse:
    record: Any = request.input_logged_request  # type: ignore[attr-defined]
    record.set_slug(InputRequestSlug.UNSUCCESSFUL_2FA_CODE_VERIFICATION_REQUEST)
    return HttpResponse("wrong")


logs_in = csrf_exempt(LoginView.as_view(template_name="429.html"))

urlpatterns = [
    path("limited/", csrf_exempt(throttling(twice)(ok)), name="limited"),
    path("limited-wordless/", throttling(PerRequestThrottlingValidator(60, 1, Wordless()))(ok), name="wordless"),
    path("limited-async/", throttling(twice)(ok_async), name="limited-async"),
    path("limited-class/", Limited.as_view(), name="limited-class"),
    path("limited-child/", LimitedChild.as_view(), name="limited-child"),
    path("limited-method/", LimitedMethod.as_view(), name="limited-method"),
    path("limited-bare/", throttling(ok), name="limited-bare"),
    path("limited-item/<int:number>/", csrf_exempt(throttling(twice)(ok)), name="limited-item"),
    path("limited-any/<path:rest>", csrf_exempt(throttling(twice)(lambda request, rest: ok(request))), name="any"),
    path("limited-unlogged/", log_exempt(throttling(twice)(ok)), name="limited-unlogged"),
    path("limited-site/", throttling(PerRequestThrottlingValidator(60, 3, scope="site"))(ok), name="limited-site"),
    path("limited-site-too/", throttling(PerRequestThrottlingValidator(60, 3, scope="site"))(ok), name="site-too"),
    path(
        "limited-path/<int:number>/",
        throttling(PerRequestThrottlingValidator(60, 2, scope="path"))(ok),
        name="limited-path",
    ),
    path("shadow/", throttling(ShadowValidator(twice), ShadowValidator(Forbids()))(ok), name="shadow"),
    path("shadow-async/", throttling(ShadowValidator(twice), ShadowValidator(Breaks()))(ok_async), name="shadow-async"),
    path("custom/", throttling(Forbids())(ok), name="custom"),
    path("custom-child/", throttling(ForbidsAndCounts(60, 2))(ok), name="custom-child"),
    path("custom-cache/", throttling(PerRequestCacheThrottlingValidator(60, 2))(ok), name="custom-cache"),
    path("custom-async/", throttling(ForbidsAsync())(ok_async), name="custom-async"),
    path("custom-crossed/", throttling(ForbidsAsync())(ok), name="custom-crossed"),
    path("custom-crossed-async/", throttling(Forbids())(ok_async), name="custom-crossed-async"),
    path("exempt-from-throttling/", throttling_exempt(ok), name="throttling-exempt"),
    path("exempt-from-throttling-called/", throttling_exempt()(ok_async), name="throttling-exempt-called"),
    path("exempt-from-throttling-class/", Exempt.as_view(), name="throttling-exempt-class"),
    path("without-default/", throttling(keep_default=False)(ok), name="without-default"),
    path("without-default-class/", WithoutDefault.as_view(), name="without-default-class"),
    path("raises/", raises, name="raises"),
    path("raises-async/", raises_async, name="raises-async"),
    path("login/", logs_in, name="login"),
    path("login-too/", logs_in, name="login-too"),
    path("login-async/", logs_in_async, name="login-async"),
    path("login-unguarded/", throttling(keep_default=False)(logs_in), name="login-unguarded"),
    path("token/", gives_token, name="token"),
    path("token-many/", tries_many, name="token-many"),
    path("token-async/", gives_token_async, name="token-async"),
    path("token-without-request/", gives_token_without_request, name="token-without-request"),
    path("token-without-request-async/", gives_token_without_request_async, name="token-without-request-async"),
    path("token-whatever/", gives_token_whatever_fails, name="token-whatever"),
    path("login-fails/", logs_in_and_fails, name="login-fails"),
    path("verify-code/", verifies_code, name="verify-code"),
    path(
        "login-guarded/",
        csrf_exempt(
            throttling(UnsuccessfulLoginThrottlingValidator(60, 3), keep_default=False)(
                LoginView.as_view(template_name="429.html")
            )
        ),
        name="login-guarded",
    ),
]
