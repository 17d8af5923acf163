"""Store ids as URL patterns: the listing of one app in a store, and nothing else of that store.

Each template is a form in which the store's own links carry the id (`*` stands for any characters, `/`
included, and a match ends at a path segment's end). The August 2020 orders would have barred just that:
"any provision of service to distribute or maintain" the app through an online store (85 FR 60061).
"""

from collections.abc import Iterator

from embargo.core.catalogue import Stores

APPLE = (
    *(
        form
        for host in ("apps.apple.com", "itunes.apple.com", "geo.itunes.apple.com", "amp-api.apps.apple.com")
        for form in (f"{host}/*/id{{id}}", f"{host}/*?id={{id}}")
    ),
    "itunes.apple.com/*/id={id}",  # RSS of reviews
    "amp-api.apps.apple.com/*/apps/{id}",
    "amp-api-edge.apps.apple.com/*/apps/{id}",
    "amp-api.apps.apple.com/*?ids={id}",
    "api.apps.apple.com/*/apps/{id}",
    "appsto.re/*/{id}",
)
GOOGLE_PLAY = (
    "play.google.com/*?id={id}",
    "play.google.com/*/testing/{id}",
    "market.android.com/*?id={id}",
    "play-fe.googleapis.com/*?doc={id}",  # the Play app itself
    "android.clients.google.com/*?doc={id}",
)
MICROSOFT = (
    "apps.microsoft.com/*/{id}",
    "apps.microsoft.com/*?productid={id}",
    "www.microsoft.com/*/{id}",
    "www.microsoft.com/*?productid={id}",
    "microsoft.com/*/{id}",
    "get.microsoft.com/*/{id}",
    "storeedgefd.dsp.mp.microsoft.com/*/{id}",
    "displaycatalog.mp.microsoft.com/*/{id}",
    "displaycatalog.mp.microsoft.com/*?bigids={id}",
)


def listing_urls(stores: Stores) -> Iterator[str]:
    """The `url` patterns, as a policy file would write them, of all listings in *stores*."""
    for ids, templates in ((stores.apple, APPLE), (stores.google_play, GOOGLE_PLAY), (stores.microsoft, MICROSOFT)):
        for identifier in ids:
            for template in templates:
                yield template.format(id=identifier)
