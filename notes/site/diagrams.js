// Adds rules to the theme's stylesheet of the diagrams, which it gives to Mermaid when it draws the first one. A page's
// own stylesheets do not apply in a diagram.
{
  const initialize = mermaid.initialize;
  // The theme names the arrowheads by their ids in earlier versions of Mermaid. The id now starts with the diagram's.
  const rules = `
    [id$="-arrowhead"] path, [id$="-filled-head"] path {
      fill: var(--md-mermaid-sequence-message-line-color) !important;
      stroke: none !important;
    }`;
  mermaid.initialize = (options) => initialize({ ...options, themeCSS: options.themeCSS + rules });
}
