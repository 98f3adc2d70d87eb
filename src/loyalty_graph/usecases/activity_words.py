"""What activities earn points for, in each language; a custom one is called by its name."""

from collections.abc import Mapping

from loyalty_graph.purchases.rules import ActivityKind
from loyalty_graph.usecases.writing import InLanguages

DID: Mapping[str, InLanguages] = {
    ActivityKind.SIGN_UP: (
        "for joining",
        "für den Beitritt",
        "üyelik için",
        "للانضمام",
    ),
    ActivityKind.PROFILE_COMPLETED: (
        "for completing the profile",
        "für das vollständige Profil",
        "profilin tamamlanması için",
        "لإكمال الملف الشخصي",
    ),
    ActivityKind.SOCIAL_FOLLOW: (
        "for following on {network}",
        "für das Folgen auf {network}",
        "{network} takibi için",
        "للمتابعة على {network}",
    ),
    ActivityKind.SOCIAL_SHARE: (
        "for sharing on {network}",
        "für das Teilen auf {network}",
        "{network} paylaşımı için",
        "للمشاركة على {network}",
    ),
    ActivityKind.REVIEW: (
        "for a review",
        "für eine Bewertung",
        "bir değerlendirme için",
        "لكتابة تقييم",
    ),
    ActivityKind.CHECK_IN: (
        "for checking in at {store}",
        "für das Einchecken bei {store}",
        "{store} ziyareti için",
        "لتسجيل الحضور في {store}",
    ),
    ActivityKind.APP_INSTALLED: (
        "for installing the app",
        "für die Installation der App",
        "uygulamanın yüklenmesi için",
        "لتثبيت التطبيق",
    ),
    ActivityKind.NEWSLETTER: (
        "for reading the newsletter",
        "für das Lesen des Newsletters",
        "bültenin okunması için",
        "لقراءة النشرة الإخبارية",
    ),
    ActivityKind.SURVEY_ANSWERED: (
        "for answering a survey",
        "für die Antworten in einer Umfrage",
        "bir anketin yanıtlanması için",
        "للإجابة عن استبيان",
    ),
    ActivityKind.EVENT_ATTENDED: (
        "for coming to an event",
        "für den Besuch einer Veranstaltung",
        "bir etkinliğe katılım için",
        "لحضور فعالية",
    ),
    ActivityKind.BIRTHDAY: (
        "for the birthday",
        "zum Geburtstag",
        "doğum günü için",
        "بمناسبة عيد الميلاد",
    ),
    ActivityKind.ANNIVERSARY: (
        "for another year with us",
        "für ein weiteres Jahr mit uns",
        "bizimle geçen bir yıl daha için",
        "لسنة أخرى معنا",
    ),
    ActivityKind.CUSTOM: (
        "for {name}",
        "für {name}",
        "{name} için",
        "مقابل {name}",
    ),
}
