"""A page for each trouble. It doesn't redirect when posted, as the shop's don't."""

from inspect import iscoroutinefunction

from asgiref.sync import async_to_sync
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from .catalogue import TROUBLES


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, slug: str) -> HttpResponse:
    slugs = [trouble.slug for trouble in TROUBLES]
    if slug not in slugs:
        raise Http404("There is no such trouble.")
    place = slugs.index(slug)
    trouble = TROUBLES[place]
    if request.method == "POST":
        if iscoroutinefunction(trouble.run):
            async_to_sync(trouble.run)()
        else:
            trouble.run()
    context = {
        "trouble": trouble,
        "next": TROUBLES[(place + 1) % len(TROUBLES)],
        "has_run": request.method == "POST",
    }
    return render(request, "trouble/page.html", context)
