#include "gateway/router/page.h"

#include "gateway/router/templates.h"

namespace gateway::router {

config::value::Result<std::string, std::string> render_page(const Page& page, const Values& values) {
  const bool japanese = page.language == Language::kJapanese, landscape = page.paper == Paper::kLandscape;
  Values frame;
  frame.texts = {{"page_lang", japanese ? "ja" : "en"},
                 {"page_title", page.title},
                 {"page_size", landscape ? "A4 landscape" : "A4"},
                 {"page_width", landscape ? "267mm" : "180mm"}};
  frame.flag("page_ja", japanese);
  frame.flag("page_en", !japanese);
  frame.flag("page_figure", landscape);
  const auto body = TRY(template_named(page.body + (japanese ? "-ja" : "-en")));
  frame.markup["body"] = TRY(render(body, values, Escape::kHtml));
  return render(TRY(template_named("page")), frame, Escape::kHtml);
}

}  // namespace gateway::router
